/* The version of the library (https://semver.org). The summary and the checkpoints of a run record it. */
#ifndef CST_CORE_VERSION_H
#define CST_CORE_VERSION_H

#define CST_VERSION "0.1.0"

#endif
