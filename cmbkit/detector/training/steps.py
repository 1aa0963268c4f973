"""Gradient steps of a network, and the sides of it that are held fast."""

import numpy as np

from cmbkit.detector.network.unet import compile_for_training

FIRST_NORMALISATION = "input_norm"


class GradientSteps:
    """Trains a network in place, step by step.

    Parameters
    ----------
    model : keras.Model
    rate : float or keras schedule
    loss : callable
        Of (y_true, y_pred), a scalar over the batch.
    frozen : list of {"encoder", "bottom", "decoder"}
        Sides of the network that keep their weights.
    """

    def __init__(self, model, rate, loss, frozen=()):
        self.model = model
        for layer in model.layers:
            layer.trainable = _side(layer.name) not in frozen
        if not model.trainable_variables:
            raise ValueError(f"frozen: expected something left to train, found {list(frozen)}")
        compile_for_training(model, rate, loss)

    def __call__(self, images: np.ndarray, masks: np.ndarray) -> float:
        """Take one step; returns the batch's loss, L2 term included, before it."""
        return float(self.model.train_on_batch(images, masks))

    def release(self) -> None:
        """Let every layer be trained again."""
        for layer in self.model.layers:
            layer.trainable = True

    @property
    def learning_rate(self) -> float:
        """At the current step."""
        return float(self.model.optimizer.learning_rate)

    def state(self) -> dict[str, np.ndarray]:
        """All variables of network and optimizer; `restore` takes them back."""
        return {name: np.array(variable) for name, variable in self._variables()}

    def restore(self, state: dict[str, np.ndarray]) -> None:
        """Take over what `state` returned.

        Raises
        ------
        ValueError
            If variables are missing or have other shapes.
        """
        for name, variable in self._variables():
            found = state[name].shape if name in state else None
            if found != tuple(variable.shape):
                raise ValueError(f"{name}: expected shape {tuple(variable.shape)}, found {found}")
            variable.assign(state[name])

    def _variables(self):
        groups = {"network": self.model.variables, "optimizer": self.model.optimizer.variables}
        for group, variables in groups.items():
            for i, variable in enumerate(variables):
                yield f"{group}{i:04d}", variable


def _side(name: str) -> str:
    if name == FIRST_NORMALISATION:
        return "encoder"
    return next((side for side in ("encoder", "bottom", "decoder") if name.startswith(side)), "")
