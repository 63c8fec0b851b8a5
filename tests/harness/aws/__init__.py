"""A server that does what AWS would do: S3 and more by moto, SageMaker by processes of this machine."""
