"""The journey map: `specification` says, `layout` places, `svg`, `html` and `markdown` show, `compose` asks the measures."""
