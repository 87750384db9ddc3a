"""Translation for translate-train and translate-test: four routes behind one interface, a file each."""
