"""The targets of deployments, one a file."""
