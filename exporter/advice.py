"""What a work item's state or a failure means, and what usually to do next: for page, terminal and runbooks."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Advice:
    """What something means and what to do about it.

    Attributes:
        meaning: What it means, in one or two sentences.
        next_step: What usually to do when it lasts too long.
        runbook: The alert whose runbook says more, or empty.
    """

    meaning: str
    next_step: str
    runbook: str = ""


STATES: Mapping[str, Advice] = {
    "queued": Advice(
        "Waiting for a worker: it can be polled, or was delivered to a worker and is not acknowledged yet.",
        "Check that workers run and poll. If all of them are busy, add workers; if none takes work, read their logs.",
        "QoderWorkQueueStalled",
    ),
    "starting": Advice(
        "A worker acknowledged it and has not sent the first heartbeat yet, which usually takes seconds.",
        "Its worker died before the first heartbeat, and such items are not handed out again: stop the item by force, "
        "then send its session a new message.",
        "QoderWorkStuckStarting",
    ),
    "active": Advice(
        "A worker has it and sends heartbeats, usually every 30 s.",
        "Without heartbeats its worker is gone or cut off. Make sure that it is dead, stop the item by force, then "
        "send its session a new message.",
        "QoderWorkHeartbeatLost",
    ),
    "stopping": Advice(
        "It was asked to stop, and its worker has not confirmed that yet.",
        "If heartbeats still come, its worker ignores the request: let it finish or end it on its machine. If not, "
        "stop the item by force.",
        "QoderWorkDrainOverdue",
    ),
    "stopped": Advice("It has ended and cannot change any more.", "Nothing: send its session a new message for more."),
}
"""The states the API documents (`work/schemas`)."""

UNKNOWN_STATE = Advice(
    "A state that this version of the exporter does not know.",
    "Look for a newer version of the exporter, and for the state in the API's documentation.",
)


def of_state(state: str) -> Advice:
    """The advice for a state, known or not."""
    return STATES.get(state, UNKNOWN_STATE)


FAILURES: Mapping[str, Advice] = {
    "auth": Advice(
        "The API refuses the token.",
        "Replace the token: it is missing, wrong, expired, or of the other region. A token_file is read again by "
        "itself.",
        "QoderWorkTokenRefused",
    ),
    "permission": Advice(
        "The token may not read this environment.",
        "Give the token's owner access, or take the environment out of the configuration.",
        "QoderWorkEnvironmentRefused",
    ),
    "not_found": Advice(
        "The API does not know this environment.",
        "Check the ID, and that base_url ends in /api/v1/cloud; a deleted environment is taken out of the "
        "configuration.",
        "QoderWorkEnvironmentRefused",
    ),
    "not_self_hosted": Advice(
        "The API refuses the request as it does where an environment is not self-hosted: it has no work queue.",
        "Take the environment out of the configuration.",
        "QoderWorkEnvironmentRefused",
    ),
    "rate_limited": Advice(
        "The API throttles requests.",
        "Lower requests_per_second, or scrape less often.",
        "QoderWorkApiThrottled",
    ),
    "timeout": Advice(
        "No complete response came in time.",
        "Wait, or look at the API's status and at the network between.",
        "QoderWorkEnvironmentDown",
    ),
    "network": Advice(
        "The API cannot be reached.",
        "Check from the exporter's machine that base_url can be reached: DNS, proxy, firewall, TLS.",
        "QoderWorkEnvironmentDown",
    ),
    "server": Advice(
        "The API, or a gateway before it, failed.",
        "Wait, or look at the API's status; name the request ID to its operators.",
        "QoderWorkEnvironmentDown",
    ),
    "invalid_response": Advice(
        "The response is not what the API documents, for instance a proxy's page.",
        "Read the exporter's log, which says what the response was.",
        "QoderWorkEnvironmentDown",
    ),
    "internal": Advice(
        "A defect of the exporter.",
        "Please report the traceback in the exporter's log.",
        "QoderWorkEnvironmentDown",
    ),
}
"""The reasons of ``qoder_work_refresh_failures_total``."""

UNKNOWN_FAILURE = Advice("The refresh failed.", "Read the exporter's log.", "QoderWorkEnvironmentDown")


def of_failure(reason: str) -> Advice:
    """The advice for a reason of a failed refresh, known or not."""
    return FAILURES.get(reason, UNKNOWN_FAILURE)
