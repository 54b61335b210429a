"""The health of objects: a body goes in, Current, InProgress, Failed and the reason come out. Pure."""
