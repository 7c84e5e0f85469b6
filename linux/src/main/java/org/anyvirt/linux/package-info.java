/**
 * Files, memory mappings, sockets, events and io_uring of Linux, through {@code java.lang.foreign}.
 *
 * <p>A failed call throws {@link org.anyvirt.linux.ErrnoException}. A file descriptor has exactly
 * one owner, an {@link org.anyvirt.linux.Fd}; parameters of type {@code int fd} borrow it for the
 * call.
 */
package org.anyvirt.linux;
