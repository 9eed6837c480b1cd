"""The work API: HTTP, JSON, tokens, errors, retries and pacing; one typed call an endpoint."""
