# Written by `pullthru provision export terraform`: change pullthru.yaml and export again, edits here are lost.

# This registry has nothing for registry.tf.
