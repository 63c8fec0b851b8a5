"""Models of fastai: on images and on tables."""
