"""JupyterHub's configuration: everything is in FLIP's own, which FLIP_HUB_HOME names.

Start it with: jupyterhub -f hub/jupyterhub_config.py
"""

from flip_hub.jupyterhub import configure

configure(get_config())  # noqa: F821 - JupyterHub puts it here
