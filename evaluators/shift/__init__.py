"""How far the images of a distilled set are from the real ones, measured in a named feature space."""
