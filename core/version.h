/* The version of the library; a run folder records it. */
#ifndef CST_CORE_VERSION_H
#define CST_CORE_VERSION_H

#define CST_VERSION "0.1.0"

#endif
