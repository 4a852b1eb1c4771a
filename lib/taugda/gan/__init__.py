"""Image GANs: the paper's networks, objectives, training and evaluation."""
