"""Its architectures."""


def list_models():
    return ["mobilenet_v2", "resnet18", "squeezenet1_1"]
