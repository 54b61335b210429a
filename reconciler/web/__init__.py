"""What the agent answers over HTTP: health, metrics, webhooks."""
