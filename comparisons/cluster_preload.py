"""`dask worker ADDRESS --preload-nanny comparisons.cluster_preload`: library settings that `xlembed` makes for itself.

Without them numpy may choose other kernels on a worker than in the program, and results differ in their last digits.
"""

from xlembed.tuning import tune_libraries

tune_libraries()  # sets variables that the worker inherits when its nanny starts it
