"""List the shipped checkpoints and their cards."""

import argparse

from kp.commands.common import add_json, print_json
from kp.model_card import shipped_cards


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    cards = shipped_cards()
    if options.json:
        print_json([card.to_json() for card in cards])
        return 0
    for card in cards:
        print(f"{card.name}: {card.title}")
        print(f"  {card.architecture}, {card.parameters:,} parameters, {card.megabytes:.1f} MB")
        print(f"  trained on {card.trained_on}, split {card.data.get('split', '?')}")
        for setting, figures in card.metrics.items():
            if figures["nme_mean"] is None:
                print(f"  {setting}: none of {figures['images']} faces found")
                continue
            print(
                f"  {setting}: NME {figures['nme_mean']:.2f} %, 95th percentile {figures['nme_p95']:.2f} %, "
                f"{figures['missed']} of {figures['images']} faces missed"
            )
    return 0
