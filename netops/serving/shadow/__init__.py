"""A challenger that scores beside the champion."""
