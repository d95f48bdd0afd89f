"""A library for plugins that train a network: its data, its training, its scores and its file.

It is no plugin, and knows no network. Its parts, in the order in which a training uses them:

- `options` and `progress`: the options of a command that trains, and a progress bar.
- `photos` and `voc`: the photos of PASCAL VOC and SBD, with class masks.
- `recipe` and `augment`: how to train, and what is changed in photos at random.
- `encoders`: what an encoder starts from.
- `folder`: the folder of a training, and its settings.
- `learner` and `training`: a network with its optimizer, and `fit`, which trains it by Lightning.
- `metrics` and `boundary`: scores of what was found.
- `description` and `checkpoint`: a trained network as a file.
"""
