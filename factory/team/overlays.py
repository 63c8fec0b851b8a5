"""`environments`: what differs in an environment, laid over the rest of a file."""

from collections.abc import Iterable, Iterator

from factory.base.findings import Finding, KeyPath
from factory.base.texts import closest, did_you_mean, one_of
from factory.team.layers import Layer
from factory.team.misplaced import OF_ONES_OWN
from factory.team.yaml_tree import YamlTree

OVERLAYS = "environments"


def environments_of(tree: YamlTree) -> tuple[str, ...]:
    """The environments that a file mentions."""
    overlays = tree.value.get(OVERLAYS)
    return tuple(overlays) if isinstance(overlays, dict) else ()


def overlay_of(tree: YamlTree, environment: str | None) -> tuple[Layer, ...]:
    """What differs in an environment; nothing where the file does not mention it."""
    if environment not in environments_of(tree):
        return ()
    value = tree.value[OVERLAYS][environment]
    return (Layer(tree, value, (OVERLAYS, environment)),) if isinstance(value, dict) else ()


def check_overlays(tree: YamlTree) -> Iterable[Finding]:
    """What is wrong with the shape of the overlays."""
    overlays = tree.value.get(OVERLAYS, {})
    if not isinstance(overlays, dict):
        message = (
            "`environments` must be a mapping from an environment's name to what differs there"
        )
        yield Finding("environments", (OVERLAYS,), message, "write `prod: {...}` below it")
        return
    for name, overlay in overlays.items():
        if overlay is not None and not isinstance(overlay, dict):
            message = f"`{name}` must be a mapping with what differs there"
            yield Finding("environments", (OVERLAYS, name), message)
        elif overlay and OVERLAYS in overlay:
            message = "an environment cannot have environments of its own"
            yield Finding("environments", (OVERLAYS, name, OVERLAYS), message, on_key=True)


def overlays_of_nothing(
    tree: YamlTree, environment: str | None
) -> Iterator[tuple[KeyPath, Finding]]:
    """What to say of each dataset and model that an overlay lies over, and that is not there."""
    for layer in overlay_of(tree, environment):
        for section, own in OF_ONES_OWN.items():
            items, there = layer.value.get(section), tree.value.get(section)
            known = tuple(there) if isinstance(there, dict) else ()
            for name, item in items.items() if isinstance(items, dict) else ():
                keys = own & item.keys() if isinstance(item, dict) else set()
                # Half of one, with a name like another's, is rather that one, misspelt.
                if name in known or keys == own or (keys and not closest(name, known)):
                    continue
                message = f"there is no {section[:-1]} `{name}` for `{environment}` to lie over"
                suggestion = did_you_mean(name, known, f"the file has {one_of(known) or 'none'}")
                path = (section, name)
                yield path, Finding("environments", path, message, suggestion, on_key=True)
