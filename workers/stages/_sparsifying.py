"""Training that brings parts of a network towards zero, before any of them is removed.

Knows network artifacts; refuses to know which penalty acts and what is removed afterwards.
"""

from workers.network import network_files, read_network, sizes
from workers.sparsity import make_regulariser
from workers.stages._base import Context, Product
from workers.stages._data import read_data
from workers.stages._learning import epochs_measured, learn, spent_after
from workers.training import Recipe


def train_sparsely(context: Context) -> Product:
    """All weights of the input network are trained with a regulariser.

    The weights of the best epoch are not kept: a regulariser has done its work after the last one.
    """
    module, network = read_network(context)
    data, recipe = read_data(context), Recipe.from_json(context.params["train"])
    regulariser = make_regulariser(context.params["regulariser"], module, network.input_shape)
    trained = learn(context, module, data, recipe, regulariser)
    module = module.cpu().eval()
    size = sizes(module, network)
    return Product(
        measurements={
            **size,
            **epochs_measured(trained),
            **spent_after({**context.measured("network"), **size}, recipe, data),
        },
        files=network_files(network, module.state_dict()),
    )
