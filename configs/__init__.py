"""Named studies: one readable YAML file each."""
