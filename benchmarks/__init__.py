"""The figures that the README claims; `make bench` reproduces them."""
