"""The function that ``netops doctor --deep`` runs on the cluster, in the image of the stages."""

from mlrun import MLClientCtx


def probe(context: MLClientCtx) -> None:
    """Import the library, and write a file to the artifact path.

    Logs the version of the library.
    """
    import netops

    context.log_artifact("doctor", body=netops.__version__, local_path="doctor.txt")
    context.log_result("version", netops.__version__)
