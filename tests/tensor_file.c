#include "tests/tensor_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { PATH = 80 };

char tensor_folder[] = "/tmp/costate_test_tensors_XXXXXX";
char tensor_path[PATH];

int tensor_folder_make(void **state)
{
    (void)state;
    if (!mkdtemp(tensor_folder)) return -1;
    snprintf(tensor_path, PATH, "%s/a.safetensors", tensor_folder);
    return 0;
}

int tensor_folder_remove(void **state)
{
    (void)state;
    remove(tensor_path);
    return rmdir(tensor_folder);
}

cst_safetensors *tensor_file_open(const char *path)
{
    cst_safetensors *file;
    cst_error error;
    if (cst_safetensors_open(path, &file, &error) != CST_OK) fail_msg("%s", error.message);
    return file;
}
