/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The other file.
 */
__thread int tls_models_elsewhere = 50000;
__thread int tls_models_far = 600000;
