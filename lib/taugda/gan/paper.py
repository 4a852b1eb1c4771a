"""The paper's FID values, which no run here may print as its own.

Source: Fiez & Ratliff (2021), experiments on image GANs; numbers as printed by the authors'
released notebooks: FID at 150,000 updates, mean and standard error (population standard deviation
over the root of three) over three seeds.
"""

TAUS = (1.0, 2.0, 4.0, 8.0)
BETAS = (0.99, 0.999, 0.9999)
MUS = (10.0, 1.0)
UPDATES = 150_000
SEEDS = (0, 1, 2)  # of the sweeps that stand for its three

# By beta: (mean, standard error) for each tau.
Table = dict[float, tuple[tuple[float, float], ...]]

FID: dict[tuple[str, float], Table] = {
    ("cifar10", 10.0): {
        0.99: ((29.39, 0.37), (24.94, 0.25), (24.14, 0.42), (24.63, 0.28)),
        0.999: ((27.56, 0.34), (23.40, 0.22), (22.53, 0.23), (23.35, 0.30)),
        0.9999: ((26.29, 0.20), (22.36, 0.23), (21.62, 0.05), (22.52, 0.27)),
    },
    ("cifar10", 1.0): {
        0.99: ((28.10, 0.52), (23.49, 0.49), (22.35, 0.15), (22.46, 0.37)),
        0.999: ((26.18, 0.54), (22.00, 0.38), (20.71, 0.06), (21.36, 0.44)),
        0.9999: ((24.60, 0.30), (21.05, 0.38), (19.49, 0.06), (20.27, 0.40)),
    },
    ("celeba", 10.0): {
        0.99: ((7.42, 0.097), (6.26, 0.064), (6.34, 0.034), (7.01, 0.089)),
        0.999: ((7.01, 0.091), (6.04, 0.021), (5.97, 0.025), (6.69, 0.088)),
        0.9999: ((7.07, 0.079), (6.05, 0.014), (5.93, 0.002), (6.43, 0.043)),
    },
    ("celeba", 1.0): {
        0.99: ((7.22, 0.15), (5.93, 0.12), (5.80, 0.04), (5.88, 0.05)),
        0.999: ((6.87, 0.17), (5.69, 0.03), (5.51, 0.04), (5.68, 0.03)),
        0.9999: ((7.01, 0.22), (5.86, 0.04), (5.59, 0.06), (5.70, 0.05)),
    },
}
