"""Gradient steps of a network: at which precision, on how many devices, with what held fast."""

from __future__ import annotations

from contextlib import nullcontext

import numpy as np

from cmbkit.detector.network.backend import use_keras
from cmbkit.detector.network.unet import compile_for_training
from cmbkit.params import Training

NORMALISATIONS = ("InstanceNormalization", "BatchNormalization")
FIRST_NORMALISATION = "input_norm"


class GradientSteps:
    """Trains a float32 network of one device, through a twin where the parameters ask for more.

    With mixed precision the twin's layers compute in 16 bits; its variables, normalisations,
    softmax and loss stay in float32. On several devices each takes an equal part of a batch and
    the loss is that of the whole batch, so that results do not depend on their number. Several
    devices need the TensorFlow backend (``tf.distribute.MirroredStrategy``).

    Parameters
    ----------
    model : keras.Model
        Gets the twin's weights when `hand_over` is called.
    training : Training
        ``precision`` and ``devices``.
    rate : float or keras schedule
    loss : callable
        Of (y_true, y_pred), a scalar over the batch.
    frozen : list of {"encoder", "bottom", "decoder"}
        Sides of the network that keep their weights.
    """

    def __init__(self, model, training: Training, rate, loss, frozen=()):
        self.model = model
        self.devices = training.devices
        self._strategy = _strategy(training.devices) if training.devices > 1 else None
        twin = training.precision != "float32" or self._strategy is not None
        with self._strategy.scope() if self._strategy else nullcontext():
            self.worker = _twin(model, training.precision) if twin else model
            for layer in self.worker.layers:
                layer.trainable = _side(layer.name) not in frozen
            if not self.worker.trainable_variables:
                raise ValueError(f"frozen: expected something left to train, found {list(frozen)}")
            scaled = _over_devices(loss, training.devices) if self._strategy else loss
            compile_for_training(self.worker, rate, scaled)
            if training.precision == "mixed_float16":
                _scale_the_loss(self.worker)
        self._step = self._distributed() if self._strategy else None

    def __call__(self, images: np.ndarray, masks: np.ndarray) -> float:
        """Take one step; returns the batch's loss, L2 term included, before it."""
        if self._step is None:
            return float(self.worker.train_on_batch(images, masks))
        if len(images) % self.devices:
            raise ValueError(
                f"batch_size: expected a multiple of {self.devices} devices, found {len(images)}"
            )
        self.worker.reset_metrics()
        return float(self._step(images, masks))

    def _distributed(self):
        import tensorflow as tf

        worker, strategy, devices = self.worker, self._strategy, self.devices

        @tf.function
        def step(images, masks):
            def on_one():
                number = tf.distribute.get_replica_context().replica_id_in_sync_group
                size = tf.shape(images)[0] // devices
                part = slice(number * size, (number + 1) * size)
                return worker.train_step((images[part], masks[part]))

            return strategy.reduce("MEAN", strategy.run(on_one)["loss"], axis=None)

        shape = worker.input_shape
        signature = [
            tf.TensorSpec(shape, tf.float32),
            tf.TensorSpec(shape[:-1], tf.int32),
        ]
        return step.get_concrete_function(*signature)

    def hand_over(self) -> None:
        """Give the model the weights reached so far."""
        if self.worker is not self.model:
            self.model.set_weights(self.worker.get_weights())

    def release(self) -> None:
        """Hand over, and let every layer be trained again."""
        self.hand_over()
        for layer in self.model.layers:
            layer.trainable = True

    @property
    def learning_rate(self) -> float:
        """At the current step."""
        return float(self.worker.optimizer.learning_rate)

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
        self.hand_over()

    def _variables(self):
        groups = {"network": self.worker.variables, "optimizer": self.worker.optimizer.variables}
        for group, variables in groups.items():
            for i, variable in enumerate(variables):
                yield f"{group}{i:04d}", variable


def _side(name: str) -> str:
    if name == FIRST_NORMALISATION:
        return "encoder"
    return next((side for side in ("encoder", "bottom", "decoder") if name.startswith(side)), "")


def _twin(model, precision: str):
    """Copy of the network whose layers compute at another precision."""
    keras = use_keras()

    def copy(layer):
        config = layer.get_config()
        kept = isinstance(layer, (keras.layers.InputLayer, keras.layers.Softmax))
        if not kept and type(layer).__name__ not in NORMALISATIONS:
            config["dtype"] = precision
        return layer.__class__.from_config(config)

    plain = keras.Model(model.input, model.output, name=model.name)
    twin = keras.models.clone_model(plain, clone_function=copy)
    twin.set_weights(model.get_weights())
    twin.jit_compile = False
    return twin


def _scale_the_loss(model) -> None:
    """Wrap the optimizer so that small float16 gradients do not vanish."""
    optimizer = use_keras().optimizers.LossScaleOptimizer(model.optimizer)
    optimizer.build(model.trainable_variables)
    model.compile(optimizer=optimizer, loss=model.loss, jit_compile=False, auto_scale_loss=False)


def _strategy(devices: int):
    """TensorFlow's mirrored strategy over GPUs, or over CPUs where there is no GPU."""
    backend = use_keras().backend.backend()
    if backend != "tensorflow":
        raise ValueError(f"devices: expected backend tensorflow for {devices}, found {backend}")
    import tensorflow as tf

    kind = "GPU" if tf.config.list_logical_devices("GPU") else "CPU"
    there = [device.name for device in tf.config.list_logical_devices(kind)]
    if len(there) < devices:
        raise ValueError(f"devices: expected {devices} {kind}s, found {len(there)}")
    return tf.distribute.MirroredStrategy(there[:devices])


def _over_devices(loss, devices: int):
    """Loss of the whole batch on each device, such that gradients add up to its gradient.

    A term like the Tversky index is no mean over patches: probabilities of all devices are
    gathered before it is taken.
    """
    import tensorflow as tf

    def whole(y_true, y_pred):
        context = tf.distribute.get_replica_context()
        if context is None:
            return loss(y_true, y_pred)
        gathered = [
            tf.ensure_shape(context.all_gather(part, axis=0), (None, *part.shape[1:]))
            for part in (y_true, y_pred)
        ]
        return loss(*gathered) / devices

    return whole
