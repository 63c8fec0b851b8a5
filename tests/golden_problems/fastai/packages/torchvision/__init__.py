"""What the factory asks of torchvision, which is not installed wherever tests run."""
