! SPDX-License-Identifier: LGPL-2.1-or-later
! Fortran: arrays, memory, and texts that its library writes and reads.
function fortran_sum() bind(C, name="fortran_sum") result(total)
    use iso_c_binding
    implicit none
    integer(c_long) :: total
    integer, allocatable :: squares(:)
    character(len=20) :: text
    integer :: i, number

    allocate(squares(10))
    squares = [(i * i, i = 1, 10)]
    write (text, '(i0)') sum(squares)
    read (text, *) number
    total = number + nint(sqrt(real(maxval(squares))))
    deallocate(squares)
end function
