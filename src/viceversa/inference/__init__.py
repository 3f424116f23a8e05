"""Using trained generators: the translator, its folder, whole folders of images, and published weights."""
