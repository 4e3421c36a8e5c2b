"""Adversarial attacks on classifiers of images, by the largest change of a pixel.

classifier = PixelClassifier(module, objective.predict, data.normalized)
pixels = classifier.pixels(images)
deceiving = attack(classifier, pixels, classes, FgsmAttack(kind="fgsm", epsilon=8), generator=generator)
"""

from workers.attacks.attacks import attack
from workers.attacks.classifier import PixelClassifier

__all__ = ["PixelClassifier", "attack"]
