"""The errors the API documents, each with its status and type (`conventions/errors`)."""


class ApiError(Exception):
    """An answer that is not 200.

    Args:
        message: For people; clients must not rely on it.
        param: The parameter that is wrong, if it is one.
    """

    status = 500
    type = "api_error"

    def __init__(self, message: str, param: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.param = param


class InvalidRequestError(ApiError):
    """A bad parameter or body, or an environment that is not self-hosted."""

    status = 400
    type = "invalid_request_error"


class AuthenticationError(ApiError):
    """No token, or one that is not accepted."""

    status = 401
    type = "authentication_error"


class PermissionDeniedError(ApiError):
    """A good token without the right to do this."""

    status = 403
    type = "permission_error"


class NotFoundError(ApiError):
    """No such environment, work item or route."""

    status = 404
    type = "not_found_error"


class StateConflictError(ApiError):
    """The item's state or owner does not allow it; on work items the type is not ``conflict_error`` (`work/ack`)."""

    status = 409
    type = "invalid_request_error"


class PreconditionFailedError(ApiError):
    """The expected heartbeat is not the item's latest: somebody else holds the lease (`work/heartbeat`)."""

    status = 412
    type = "precondition_failed_error"
