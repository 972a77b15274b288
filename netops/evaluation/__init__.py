"""How good a model is: by sample, by alert and by incident, against baselines and the champion."""
