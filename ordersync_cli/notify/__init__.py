"""Where alerts and notifications go: webhooks, Slack, apprise."""
