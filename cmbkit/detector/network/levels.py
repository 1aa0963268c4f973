"""UNetApollo3D level by level, in plain numbers: what is built, and what Figure 6.1 draws."""

from cmbkit.params import Network


def levels(params: Network) -> list[dict]:
    """Describe the network level by level, from the input to the output.

    Returns
    -------
    list of dict
        ``name``, ``side`` ("encoder", "bottom", "decoder", "head"), ``depth`` (0 = full
        resolution), ``size`` (voxels per axis where the level's convolutions work), ``filters``
        (output channels of each convolution) and ``strides``; enough to draw Figure 6.1.
    """
    depths = len(params.filters_per_depth)

    def row(name, side, depth, filters, strides):
        size = [n // 2**depth for n in params.patch_size]
        return dict(name=name, side=side, depth=depth, size=size, filters=filters, strides=strides)

    rows = []
    for depth, filters in enumerate(params.filters_per_depth):
        n = params.n_conv_per_depth
        strides = [1] * (n - 1) + [2]
        rows.append(row(f"encoder{depth}", "encoder", depth, [filters] * n, strides))
    n = params.n_conv_bottom
    rows.append(row("bottom", "bottom", depths, [params.filters_out_bottom_conv] * n, [1] * n))
    for depth in reversed(range(depths)):
        n = params.n_conv_per_depth_upsampling
        filters = [params.filters_per_depth[depth]] * n
        rows.append(row(f"decoder{depth}", "decoder", depth, filters, [1] * n))
    rows.append(row("head", "head", 0, [params.n_classes], [1]))
    return rows
