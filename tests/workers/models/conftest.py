import torch

# Two cores are shared, and sums come out the same in the same order.
torch.set_num_threads(1)
