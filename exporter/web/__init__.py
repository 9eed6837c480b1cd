"""The web server: routes, the deadline of a scrape, health, the status page."""
