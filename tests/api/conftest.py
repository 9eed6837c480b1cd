"""Mocked answers of the API."""

import respx.mocks

# respx answers at httpcore's level unless told otherwise; the client's transport is another one (decision 0001).
respx.mocks.DEFAULT_MOCKER = respx.mocks.HTTPXMocker.name
