"""The keys of the walk; a module beside the script, as test suites have them."""

WALK = ["Power", "Menu", "Down", "Down", "Up", "Ok", "Menu", "Channel+"]
