import { Thumbnail } from '../data/Thumbnail.tsx';
import styles from './Samples.module.css';

export function SamplePicture({ dataset, name }: { dataset: string | null; name: string | null }) {
  if (name === null || dataset === null) return <span className={styles.none}>no picture</span>;
  return <Thumbnail dataset={dataset} path={name} />;
}
