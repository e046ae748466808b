"""The sources of the project that is open: its folder ``sources/`` (:func:`leat.sources.driver.add_sources`)."""
