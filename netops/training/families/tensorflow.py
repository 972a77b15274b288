"""TensorFlow (Keras): a small multilayer perceptron."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import numpy.typing as npt

from netops.config.binding import option
from netops.models.fitted import Floats
from netops.models.onnx_graph import Graph
from netops.training.families.protocol import FitData
from netops.training.families.space import Between, OneOf, Space

if TYPE_CHECKING:
    import tensorflow as tf
    from tensorflow import keras


@dataclass(frozen=True)
class TensorFlow:
    """Hyper-parameters of the TensorFlow family."""

    takes_missing: ClassVar[bool] = False
    takes_pieces: ClassVar[bool] = False
    limit: ClassVar[float] = 8.0
    libraries: ClassVar[tuple[str, ...]] = ("tensorflow", "keras")
    rounds: ClassVar[str | None] = "epochs"
    effort: ClassVar[float] = 2.0
    space: ClassVar[Space] = {
        "layers": OneOf(((32,), (64, 32), (128, 64), (64, 64, 32))),
        "learning_rate": Between(5e-4, 1e-2, log=True),
        "l2": Between(1e-6, 1e-3, log=True),
        "batch_size": OneOf((256, 512, 1_024)),
    }

    enabled: bool = option(True, help="whether the family is trained")
    layers: tuple[int, ...] = option((64, 32), help="units of the hidden layers", minimum=1, maximum=4_096)
    learning_rate: float = option(0.002, help="step of the Adam optimizer", minimum=1e-6, maximum=1)
    l2: float = option(1e-5, help="L2 penalty on the weights", minimum=0)
    batch_size: int = option(512, help="rows of a step", minimum=1, was="batch")
    epochs: int = option(20, help="passes over the rows at most", minimum=1, maximum=10_000)
    patience: int = option(4, help="epochs without gain before early stopping", minimum=1)

    def load(self, threads: int) -> None:
        """Import TensorFlow, quietly, on the processor, with its threads fixed."""
        quiet = {"TF_CPP_MIN_LOG_LEVEL": "3", "TF_ENABLE_ONEDNN_OPTS": "0", "CUDA_VISIBLE_DEVICES": "-1"}
        for key, value in quiet.items():
            os.environ.setdefault(key, value)
        import tensorflow

        if tensorflow.config.threading.get_intra_op_parallelism_threads() != threads:
            tensorflow.config.threading.set_intra_op_parallelism_threads(threads)
            tensorflow.config.threading.set_inter_op_parallelism_threads(1)
        tensorflow.keras.Sequential  # noqa: B018  Keras is loaded when first touched

    def fit(self, data: FitData, seed: int, threads: int) -> "FittedTensorFlow":
        """Fit on weighted rows, keeping the weights of the epoch with the least loss on those set aside."""
        self.load(threads)
        model = self._model(data.features.shape[1], seed)
        epoch, loss = self._steps(model, data)
        rng = np.random.default_rng(seed)
        rows = len(data.subset(early=False)[1])
        best, best_epoch, weights = np.inf, self.epochs, None
        for number in range(self.epochs):
            epoch(rng.permutation(rows).astype(np.int32))
            if not data.stops_early:
                continue
            if number + 1 < self.patience:  # so early, the loss on few incidents is not informative
                continue
            if (now := float(loss())) < best:
                best, best_epoch, weights = now, number + 1, model.get_weights()
            elif number + 1 - best_epoch >= self.patience:
                break
        if weights is not None:
            model.set_weights(weights)
        return FittedTensorFlow(model, best_epoch)

    def _model(self, features: int, seed: int) -> "keras.Sequential":
        from tensorflow import keras

        hidden = [
            keras.layers.Dense(
                units,
                activation="relu",
                kernel_initializer=keras.initializers.HeNormal(seed=seed + index),
                kernel_regularizer=keras.regularizers.L2(self.l2),
            )
            for index, units in enumerate(self.layers)
        ]
        last = keras.layers.Dense(1, kernel_initializer=keras.initializers.GlorotUniform(seed=seed + len(hidden)))
        return keras.Sequential([keras.Input((features,)), *hidden, last])

    def _steps(
        self, model: "keras.Sequential", data: FitData
    ) -> "tuple[Callable[[npt.NDArray[np.int32]], None], Callable[[], tf.Tensor]]":
        """Compile one pass over the fitted rows in a given order, and the loss on the rows set aside."""
        import tensorflow as tf
        from tensorflow import keras

        x, y, w = (tf.constant(array, tf.float32) for array in data.subset(early=False))
        optimizer = keras.optimizers.Adam(self.learning_rate)
        optimizer.build(model.trainable_variables)

        def loss(x: "tf.Tensor", y: "tf.Tensor", w: "tf.Tensor", training: bool) -> "tf.Tensor":
            logits = model(x, training=training)[:, 0]
            return tf.reduce_mean(w * tf.nn.sigmoid_cross_entropy_with_logits(labels=y, logits=logits))

        @tf.function(input_signature=[tf.TensorSpec([None], tf.int32)])
        def epoch(order: "tf.Tensor") -> None:
            for start in tf.range(0, tf.size(order), self.batch_size):
                rows = order[start : start + self.batch_size]
                with tf.GradientTape() as tape:
                    value = loss(tf.gather(x, rows), tf.gather(y, rows), tf.gather(w, rows), training=True)
                    value += tf.add_n(model.losses)
                gradients = tape.gradient(value, model.trainable_variables)
                optimizer.apply(gradients, model.trainable_variables)

        early = [tf.constant(array, tf.float32) for array in data.subset(early=True)]
        return epoch, tf.function(lambda: loss(early[0], early[1], early[2], training=False))


class FittedTensorFlow:
    """A fitted network."""

    def __init__(self, model: "keras.Sequential", epochs: int) -> None:
        self.model, self.iterations = model, epochs

    def predict(self, scaled: Floats) -> npt.NDArray[np.float64]:
        """Score by Keras itself."""
        chunks = [self.model(scaled[start : start + CHUNK]).numpy() for start in range(0, len(scaled), CHUNK)]
        logits = np.concatenate(chunks)[:, 0].astype(np.float64)
        return 1 / (1 + np.exp(-logits))

    def build(self, graph: Graph, scaled: str) -> str:
        """Add the layers to an ONNX graph: Gemm and Relu nodes, the last one without Relu."""
        layers = [layer.get_weights() for layer in self.model.layers]
        output = scaled
        for index, (kernel, bias) in enumerate(layers):
            constants = graph.constant(f"kernel_{index}", kernel), graph.constant(f"bias_{index}", bias)
            output = graph.add("Gemm", output, *constants)
            output = output if index == len(layers) - 1 else graph.add("Relu", output)
        return output


#: Rows scored at once.
CHUNK = 65_536
