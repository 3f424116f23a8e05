"""Using trained generators: the translator, its folder, whole folders of pictures, and published weights."""
