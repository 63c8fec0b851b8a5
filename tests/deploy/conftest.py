"""What tests of deployments share: a real version in a real registry."""

from tests.deploy.released import model_folder, release, tracking

__all__ = ["model_folder", "release", "tracking"]
