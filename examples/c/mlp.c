/* A multilayer perceptron's gradient in C99, as a program that the oracle asks: docs/protocol.md.
 *
 *     cc -std=c99 -O2 -o mlp examples/c/mlp.c -lm
 *     python -m verify check --exec ./mlp --hidden relu
 *
 * and, where no Python runs, by files of known gradients, docs/vectors.md:
 *
 *     ./mlp --vectors DIRECTORY
 *
 * ./mlp --wrong makes a mistake: its bias gradients are those of the first row alone. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tgmath.h>

enum hidden { SIGMOID, TANH, RELU, IDENTITY };
static const char *const names[] = {"sigmoid", "tanh", "relu", "identity"};
static int wrong; /* the flag --wrong */

static void *allocated(size_t bytes) {
    void *room = malloc(bytes ? bytes : 1);
    if (!room) {
        fputs("out of memory\n", stderr);
        exit(3);
    }
    return room;
}

#define REAL double
#define NAMED(name) name##_double
#include "network.h"
#undef REAL
#undef NAMED
#define REAL float
#define NAMED(name) name##_float
#include "network.h"

/* The gradient of what is in params, x and y, as doubles: exact copies, computed in float where that is asked. */
static void gradient(int single, enum hidden hidden, int layers, const int *sizes, int batch, const double *given,
                     int n_params, int n_given, double *result) {
    int n_x = batch * sizes[0];
    if (!single) {
        gradient_double(hidden, layers, sizes, batch, given, given + n_params, given + n_params + n_x, result);
        return;
    }
    float *room = allocated((size_t)(n_given + n_params) * sizeof *room), *out = room + n_given;
    for (int i = 0; i < n_given; i++) room[i] = (float)given[i];
    gradient_float(hidden, layers, sizes, batch, room, room + n_params, room + n_params + n_x, out);
    for (int i = 0; i < n_params; i++) result[i] = out[i];
    free(room);
}

/* The text after the next occurrence of key: the runner writes keys in one order, without spaces. */
static char *after(char *text, const char *key) {
    char *found = strstr(text, key);
    if (!found) {
        fprintf(stderr, "the request has no %s\n", key);
        exit(4);
    }
    return found + strlen(key);
}

static void print_tensor(const double *numbers, int rows, int columns, const char *dtype) {
    int n = (rows ? rows : 1) * columns;
    if (rows) printf("{\"shape\":[%d,%d],\"dtype\":\"%s\",\"data\":[", rows, columns, dtype);
    else printf("{\"shape\":[%d],\"dtype\":\"%s\",\"data\":[", columns, dtype);
    for (int i = 0; i < n; i++) printf("%s\"%a\"", i ? "," : "", numbers[i]);
    printf("]}");
}

static void answer(char *line) {
    long id = strtol(line = after(line, "\"id\":"), NULL, 10);
    int single = *(line = after(line, "\"dtype\":\"float")) == '3', layers = -1, sizes[64], n_params = 0;
    line = after(line, "\"sizes\":[") - 1;
    do {
        if (++layers == 64) {
            printf("{\"type\":\"error\",\"id\":%ld,\"message\":\"more than 63 layers\"}\n", id);
            return;
        }
        sizes[layers] = (int)strtol(line + 1, &line, 10);
    } while (*line == ',');
    int batch = (int)strtol(after(line, "\"batch\":"), NULL, 10), hidden = SIGMOID;
    char *name = after(line, "\"hidden\":\"");
    while (strncmp(name, names[hidden], strlen(names[hidden]))) hidden++; /* one of those that hello named */
    for (int i = 0; i < layers; i++) n_params += (sizes[i] + 1) * sizes[i + 1];
    int n_given = n_params + batch * (sizes[0] + sizes[layers]);

    double *given = allocated((size_t)(n_given + n_params) * sizeof *given), *result = given + n_given;
    for (int i = 0; i < n_given;) { /* every tensor is a list of strings: "0x1.8p+0","-0x1p-3" */
        line = after(line, "\"data\":[") - 1;
        do given[i++] = strtod(line + 2, &line);
        while (*++line == ',' && i < n_given);
    }
    gradient(single, hidden, layers, sizes, batch, given, n_params, n_given, result);

    const char *dtype = single ? "float32" : "float64";
    printf("{\"type\":\"answer\",\"id\":%ld,\"tensors\":[", id);
    for (int i = 0, at = 0; i < layers; i++) {
        print_tensor(result + at, sizes[i], sizes[i + 1], dtype);
        putchar(',');
        print_tensor(result + (at += sizes[i] * sizes[i + 1]), 0, sizes[i + 1], dtype);
        at += sizes[i + 1];
        printf(i + 1 < layers ? "," : "]}\n");
    }
    free(given);
}

/* A line of any length; NULL at the end of the input. */
static char *read_line(void) {
    static char *line;
    static size_t room;
    size_t length = 0;
    do {
        if (length + 1 >= room) {
            line = realloc(line, room = 2 * room + 4096);
            if (!line) exit(3);
        }
        if (!fgets(line + length, (int)(room - length), stdin)) return NULL;
        length += strlen(line + length);
    } while (line[length - 1] != '\n');
    return line;
}

static FILE *opened(const char *directory, const char *name) {
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    FILE *file = fopen(path, "rb");
    if (!file) {
        perror(path);
        exit(2);
    }
    return file;
}

/* Judge by files of known gradients; how many fail. A line of the index has an id, the dtype, the spec, batch, layers,
 * sizes, and where the numbers begin: params, x, y, expected, bound. (This reads them on a little-endian machine.) */
static int judged(const char *directory) {
    FILE *index = opened(directory, "index.txt");
    FILE *files[] = {opened(directory, "float64.bin"), opened(directory, "float32.bin")};
    char dtype[16], name[16], spec[4][32];
    int id, batch, layers, sizes[64], passed = 0, failed = 0, others = 0;
    while (fscanf(index, "%d%15s%15s%31s%31s%31s%31s%d%d", &id, dtype, name, spec[0], spec[1], spec[2], spec[3], &batch,
                  &layers) == 9) {
        int n_params = 0, hidden = 0, single = !strcmp(dtype, "float32"), bad = 0;
        long begin;
        for (int i = 0; i <= layers; i++)
            if (fscanf(index, "%d", &sizes[i]) == 1 && i) n_params += (sizes[i - 1] + 1) * sizes[i];
        if (fscanf(index, "%ld", &begin) != 1) break;
        while (hidden < 4 && strcmp(name, names[hidden])) hidden++;
        if (hidden == 4 || strcmp(spec[0], "softmax") || strcmp(spec[1], "cross_entropy") || strcmp(spec[2], "mean")) {
            others++;
            continue;
        }
        int n_given = n_params + batch * (sizes[0] + sizes[layers]), n = n_given + 2 * n_params;
        double *numbers = allocated((size_t)(n + n_params) * sizeof *numbers), *got = numbers + n;
        fseek(files[single], begin * (single ? 4 : 8), SEEK_SET);
        for (int i = 0; i < n; i++) {
            float narrow;
            if (fread(single ? (void *)&narrow : numbers + i, single ? 4 : 8, 1, files[single]) != 1) exit(2);
            if (single) numbers[i] = narrow;
        }
        gradient(single, hidden, layers, sizes, batch, numbers, n_params, n_given, got);
        const double *expected = numbers + n_given, *bound = expected + n_params;
        for (int i = 0; i < n_params; i++) bad += !(fabs(got[i] - expected[i]) <= bound[i]); /* NaN is bad */
        if (bad) printf("test %d: %d of %d entries are wrong\n", id, bad, n_params);
        *(bad ? &failed : &passed) += 1;
        free(numbers);
    }
    printf("%d passed, %d failed, %d are for other networks\n", passed, failed, others);
    return failed;
}

int main(int count, char **arguments) {
    wrong = count > 1 && !strcmp(arguments[count - 1], "--wrong");
    if (count > 2 && !strcmp(arguments[1], "--vectors")) return judged(arguments[2]) > 0;
    for (char *line; (line = read_line()) && strncmp(line, "{\"type\":\"stop\"", 14); fflush(stdout))
        if (!strncmp(line, "{\"type\":\"hello\"", 15))
            puts("{\"type\":\"hello\",\"protocol\":1,\"name\":\"mlp.c\",\"encoding\":\"hex\","
                 "\"hidden\":[\"sigmoid\",\"tanh\",\"relu\",\"identity\"],"
                 "\"outputs\":[[\"softmax\",\"cross_entropy\"]],\"reductions\":[\"mean\"],\"l2\":false}");
        else answer(line);
    return 0;
}
