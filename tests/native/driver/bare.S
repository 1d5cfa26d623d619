/* From reset to a C program in 64 bits at 1 MB, without a BIOS: the ROM of an emulated machine (bochs.py). Memory is mapped
 * as it lies, the registers of AVX and AVX-512 are switched on where the processor has them. */
    .code16
real:
    cli
    mov $0x92, %dx /* address line 20 */
    in %dx, %al
    or $2, %al
    out %al, %dx
    lgdtl %cs:segments_at - 0xffff0000
    mov %cr0, %eax
    or $1, %eax
    mov %eax, %cr0
    ljmpl $8, $protected

    .code32
protected:
    mov $16, %eax
    mov %eax, %ds
    mov %eax, %es
    mov %eax, %ss
    mov $0x8000000, %ebx /* Bochs 2.7 takes memory by 128 KB as it is touched, and an image lies in what comes next: touch */
touch:
    movb (%ebx), %al
    add $0x20000, %ebx
    cmp $0x9000000, %ebx
    jne touch
    movl $0x2003, 0x1000 /* one table of tables, four of 512 pages of 2 MB: the ROM lies at the end of 4 GB */
    movl $0x3003, 0x2000
    movl $0x4003, 0x2008
    movl $0x5003, 0x2010
    movl $0x6003, 0x2018
    xor %ecx, %ecx
    mov $0x83, %eax
page:
    mov %eax, 0x3000(,%ecx,8)
    add $0x200000, %eax
    inc %ecx
    cmp $2048, %ecx
    jne page
    mov $0x40620, %eax /* PAE, OSFXSR, OSXMMEXCPT, OSXSAVE */
    mov %eax, %cr4
    mov $0x1000, %eax
    mov %eax, %cr3
    mov $0xc0000080, %ecx
    rdmsr
    or $0x100, %eax
    wrmsr
    mov $0x80000033, %eax
    mov %eax, %cr0
    ljmp $24, $long

    .code64
long:
    mov $13, %eax /* which registers XCR0 can name */
    xor %ecx, %ecx
    cpuid
    and $0xe7, %eax
    xor %ecx, %ecx
    xor %edx, %edx
    xsetbv
    mov $0x3fffff0, %rsp
    mov $0x100000, %rax
    call *%rax
    hlt

    .balign 8
segments:
    .quad 0, 0x00cf9b000000ffff, 0x00cf93000000ffff, 0x00af9b000000ffff
segments_at:
    .word 31
    .long segments

    .org 0xfff0
    .code16
    jmp real
    .org 0x10000
