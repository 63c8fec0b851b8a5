"""Models in production, asked over HTTP: one service for many models, following their champions."""
