import type { ComponentProps } from 'react';
import styles from './Button.module.css';
import { Icon, type IconName } from './Icon.tsx';

interface ButtonProps extends ComponentProps<'button'> {
  icon?: IconName;
  variant?: 'primary' | 'secondary' | 'quiet' | 'danger';
  size?: 'small' | 'medium';
}

export function Button({ icon, variant = 'secondary', size = 'medium', children, ...rest }: ButtonProps) {
  return (
    <button type="button" {...rest} className={`${styles.button} ${styles[variant]} ${styles[size]}`}>
      {icon && <Icon name={icon} size={size === 'small' ? 14 : 16} />}
      {children}
    </button>
  );
}

interface IconButtonProps extends Omit<ComponentProps<'button'>, 'children'> {
  icon: IconName;
  /** The button's name, for screen readers and as its tooltip. */
  label: string;
  variant?: 'primary' | 'quiet';
}

export function IconButton({ icon, label, variant = 'quiet', ...rest }: IconButtonProps) {
  return (
    <button type="button" title={label} aria-label={label} {...rest} className={`${styles.button} ${styles.icon} ${styles[variant]}`}>
      <Icon name={icon} />
    </button>
  );
}
