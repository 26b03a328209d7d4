/* The JSON Schema (draft 2020-12) of configs, made from the catalog (catalog.h), which has the tables that configs
 * are checked by. Editors use it to complete and check a config while it is written.
 *
 * It accepts every config that costate accepts. costate checks more than a schema can: shapes, files, and keys that
 * depend on each other. */
#ifndef CST_CLI_SCHEMA_H
#define CST_CLI_SCHEMA_H

#ifdef __cplusplus
extern "C" {
#endif

/* The schema as indented JSON text. The caller frees it with free(). NULL if out of memory. */
char *cst_schema_print(void);

#ifdef __cplusplus
}
#endif
#endif
